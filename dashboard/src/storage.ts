// Access to the browser's storage. It may be disabled or full, so every access can fail without an error.

type Area = "localStorage" | "sessionStorage";

/** Returns a stored text, or null if it is missing or storage is unavailable. */
export function readStored(area: Area, name: string): string | null {
  try {
    return window[area].getItem(name);
  } catch {
    return null;
  }
}

/** Stores a text, or removes it if it is null. Does nothing if storage is unavailable. */
export function store(area: Area, name: string, text: string | null): void {
  try {
    if (text === null) window[area].removeItem(name);
    else window[area].setItem(name, text);
  } catch {
    // The page works without storage until it is reloaded.
  }
}
