export function Notice({
  kind,
  text,
}: {
  readonly kind: 'error' | 'warning';
  readonly text: string;
}) {
  return (
    <p className={`notice ${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      {text}
    </p>
  );
}
