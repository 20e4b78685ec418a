import { useState } from "preact/hooks";
import { readStored, store } from "./storage.js";

const STORED = "opencomputer-usage.theme";
const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

function stored(): Theme {
  const theme = readStored("localStorage", STORED);
  return THEMES.find((known) => known === theme) ?? "system";
}

// The sign-in has the theme, too.
document.documentElement.dataset["theme"] = stored();

/** Chooses between light, dark and the system's preference. The choice outlives the session. */
export function ThemePicker() {
  const [theme, setTheme] = useState(stored);
  const choose = (theme: Theme) => {
    document.documentElement.dataset["theme"] = theme;
    store("localStorage", STORED, theme);
    setTheme(theme);
  };
  return (
    <select
      class="quiet"
      aria-label="Theme"
      value={theme}
      onChange={(event) => choose(event.currentTarget.value as Theme)}
    >
      {THEMES.map((theme) => (
        <option key={theme} value={theme}>
          {theme[0]?.toUpperCase() + theme.slice(1)}
        </option>
      ))}
    </select>
  );
}
