import { type FormEvent, useEffect, useState } from 'react';

/** A line of matchers; it takes effect when it is entered, so that half a matcher asks nothing. */
export function FilterForm({
  filter,
  onFilter,
}: {
  readonly filter: string;
  readonly onFilter: (filter: string) => void;
}) {
  const [draft, setDraft] = useState(filter);
  useEffect(() => setDraft(filter), [filter]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onFilter(draft.trim());
  };
  return (
    <form onSubmit={submit} className="query">
      <input
        aria-label="Filter"
        value={draft}
        spellCheck={false}
        autoComplete="off"
        placeholder={'Filter, as {alertname="Down", env=~"prod|test"}'}
        onChange={(event) => setDraft(event.target.value)}
      />
      <button type="submit">Filter</button>
    </form>
  );
}
