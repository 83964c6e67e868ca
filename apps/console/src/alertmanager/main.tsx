import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import '../style.css';
import './alertmanager.css';
import { App } from './app.tsx';
import { applyTheme, readPreferences } from './lib/preferences.ts';

applyTheme(readPreferences().theme);
const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
