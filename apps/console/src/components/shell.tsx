import type { ReactNode } from 'react';
import { pagePath, useLocation, useNavigate } from '../lib/location.ts';

const PAGES = [
  { path: '/', title: 'Pair' },
  { path: '/graph', title: 'Graph' },
  { path: '/alerts', title: 'Alerts' },
  { path: '/targets', title: 'Targets' },
] as const;

export function Shell({ children }: { readonly children: ReactNode }) {
  const { path } = useLocation();
  const navigate = useNavigate();
  return (
    <>
      <header>
        <strong>Pollux</strong>
        <nav>
          {PAGES.map((page) => (
            <a
              key={page.path}
              href={pagePath(page.path)}
              aria-current={page.path === path ? 'page' : undefined}
              onClick={(event) => {
                event.preventDefault();
                navigate(page.path);
              }}
            >
              {page.title}
            </a>
          ))}
        </nav>
      </header>
      <main>{children}</main>
    </>
  );
}
