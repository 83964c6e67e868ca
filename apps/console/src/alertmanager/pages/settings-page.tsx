import { useState } from 'react';
import { Notice } from '../../components/notice.tsx';
import { type Preferences, readPreferences, THEMES, writePreferences } from '../lib/preferences.ts';

/** What this browser keeps. */
export function SettingsPage() {
  const [preferences, setPreferences] = useState(readPreferences);
  const [isKept, setKept] = useState(true);
  const change = (changes: Partial<Preferences>): void => {
    const next = { ...preferences, ...changes };
    setPreferences(next);
    setKept(writePreferences(next));
  };
  return (
    <>
      <h1>Settings</h1>
      <p>Kept in this browser.</p>
      {!isKept && <Notice kind="warning" text="This browser keeps nothing for this page." />}
      <div className="field">
        <label htmlFor="creator">Creator of new silences, owner of acknowledgements</label>
        <input
          id="creator"
          value={preferences.creator}
          onChange={(event) => change({ creator: event.target.value })}
        />
      </div>
      <fieldset className="field">
        <legend>Theme</legend>
        {THEMES.map((theme) => (
          <label key={theme}>
            <input
              type="radio"
              name="theme"
              checked={preferences.theme === theme}
              onChange={() => change({ theme })}
            />
            {theme}
          </label>
        ))}
      </fieldset>
    </>
  );
}
