import { type ReactNode, useEffect, useRef } from 'react';
import { parseRoute, type Route } from './lib/route.ts';
import { useHash } from './lib/use-hash.ts';
import { AlertsPage } from './pages/alerts-page.tsx';
import { NotificationsPage } from './pages/notifications-page.tsx';
import { SettingsPage } from './pages/settings-page.tsx';
import { EditSilencePage, NewSilencePage } from './pages/silence-form-page.tsx';
import { SilencePage } from './pages/silence-page.tsx';
import { SilencesPage } from './pages/silences-page.tsx';
import { StatusPage } from './pages/status-page.tsx';

const PAGES = [
  { link: '#/alerts', title: 'Alerts', of: ['alerts'] },
  {
    link: '#/silences',
    title: 'Silences',
    of: ['silences', 'silence', 'edit silence', 'new silence'],
  },
  { link: '#/notifications', title: 'Notifications', of: ['notifications'] },
  { link: '#/status', title: 'Status', of: ['status'] },
  { link: '#/settings', title: 'Settings', of: ['settings'] },
] as const;

/** The alertmanager's page: the address says what it shows. */
export function App() {
  const route = parseRoute(useHash());
  const main = useRef<HTMLElement>(null);
  const place = route.page === 'silence' ? `silence ${route.id}` : route.page;
  const placeBefore = useRef(place);
  useEffect(() => {
    document.title = `${titleOf(route)} – Alertmanager`;
    if (placeBefore.current === place) return;
    // Another page: who reads by ear or key goes on at its beginning.
    placeBefore.current = place;
    main.current?.focus();
    window.scrollTo(0, 0);
  }, [place, route]);
  return (
    <>
      <header>
        <strong>Alertmanager</strong>
        <nav aria-label="Pages">
          {PAGES.map(({ link, title, of }) => (
            <a
              key={link}
              href={link}
              aria-current={of.some((page) => page === route.page) ? 'page' : undefined}
            >
              {title}
            </a>
          ))}
        </nav>
        <a className="button" href="#/silences/new">
          New silence
        </a>
      </header>
      <main ref={main} tabIndex={-1}>
        {pageOf(route)}
      </main>
    </>
  );
}

function titleOf(route: Route): string {
  if (route.page === 'unknown') return 'Not found';
  return route.page.charAt(0).toUpperCase() + route.page.slice(1);
}

function pageOf(route: Route): ReactNode {
  switch (route.page) {
    case 'alerts':
      return <AlertsPage view={route.view} />;
    case 'silences':
      return <SilencesPage filter={route.filter} state={route.state} />;
    case 'new silence':
      return (
        <NewSilencePage
          key={`${route.filter} ${route.comment}`}
          filter={route.filter}
          comment={route.comment}
        />
      );
    case 'silence':
      return <SilencePage key={route.id} id={route.id} />;
    case 'edit silence':
      return <EditSilencePage key={route.id} id={route.id} />;
    case 'notifications':
      return <NotificationsPage onlyFailed={route.onlyFailed} />;
    case 'status':
      return <StatusPage />;
    case 'settings':
      return <SettingsPage />;
    case 'unknown':
      return (
        <>
          <h1>There is no such page</h1>
          <p>
            Nothing is at <code>{route.path}</code>. <a href="#/alerts">Alerts</a>
          </p>
        </>
      );
  }
}
