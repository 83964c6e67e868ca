export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];
export type Preferences = { readonly creator: string; readonly theme: Theme };

const KEY = 'pollux:alertmanager';
const DEFAULTS: Preferences = { creator: '', theme: 'system' };

/** As this browser keeps them; what it does not give, or what is not ours, leaves the defaults. */
export function readPreferences(): Preferences {
  try {
    const found: unknown = JSON.parse(window.localStorage.getItem(KEY) ?? '{}');
    if (typeof found !== 'object' || found === null) return DEFAULTS;
    const { creator, theme } = found as { readonly creator?: unknown; readonly theme?: unknown };
    return {
      creator: typeof creator === 'string' ? creator : DEFAULTS.creator,
      theme: THEMES.find((known) => known === theme) ?? DEFAULTS.theme,
    };
  } catch {
    return DEFAULTS;
  }
}

/** False where the browser keeps nothing. */
export function writePreferences(preferences: Preferences): boolean {
  applyTheme(preferences.theme);
  try {
    window.localStorage.setItem(KEY, JSON.stringify(preferences));
    return true;
  } catch {
    return false;
  }
}

export function applyTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
}
