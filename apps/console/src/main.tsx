import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Shell } from './components/shell.tsx';
import { useLocation } from './lib/location.ts';
import { GraphPage } from './pages/graph-page.tsx';
import { PairPage } from './pages/pair-page.tsx';
import './style.css';

function App() {
  const { path } = useLocation();
  return <Shell>{path === '/graph' ? <GraphPage /> : <PairPage />}</Shell>;
}

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
