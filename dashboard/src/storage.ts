// What the browser keeps for this page. Browsers can be told to keep nothing, which the page must survive.

type Area = "localStorage" | "sessionStorage";

/** Returns a stored text, or null if there is none or the browser keeps nothing. */
export function readStored(area: Area, name: string): string | null {
  try {
    return window[area].getItem(name);
  } catch {
    return null;
  }
}

/** Stores a text, or removes it if it is null. Does nothing if the browser keeps nothing. */
export function store(area: Area, name: string, text: string | null): void {
  try {
    if (text === null) window[area].removeItem(name);
    else window[area].setItem(name, text);
  } catch {
    // The page works without, until it is loaded again.
  }
}
