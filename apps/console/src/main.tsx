import { type ReactNode, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Shell } from './components/shell.tsx';
import { useLocation } from './lib/location.ts';
import { AlertsPage } from './pages/alerts-page.tsx';
import { GraphPage } from './pages/graph-page.tsx';
import { PairPage } from './pages/pair-page.tsx';
import { TargetsPage } from './pages/targets-page.tsx';
import './style.css';

function App() {
  const { path } = useLocation();
  return <Shell>{pageOf(path)}</Shell>;
}

function pageOf(path: string): ReactNode {
  switch (path) {
    case '/graph':
      return <GraphPage />;
    case '/alerts':
      return <AlertsPage />;
    case '/targets':
      return <TargetsPage />;
    default:
      return <PairPage />;
  }
}

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
