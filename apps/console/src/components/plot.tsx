import { useEffect, useRef } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Table } from '../lib/series.ts';
import { momentText, timeLabels } from '../lib/time-labels.ts';

const HEIGHT_PX = 360;
const LABEL_SPACE_PX = 90;
/** Colours that stay apart for most kinds of colour blindness (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
/** More lines than this cannot be told apart, and drawing them holds the page. */
export const MAX_LINES = 100;

/** Lines beyond the colours repeat them with another pattern, in pixels drawn and left out. */
const DASHES: readonly number[][] = [[], [8, 4], [2, 3]];

/** What was asked for: drawn whole, so that missing data shows as such. */
export type Span = { readonly startSeconds: number; readonly endSeconds: number };

export function Plot({ table, span }: { readonly table: Table; readonly span: Span }) {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const columns = table.columns.slice(0, MAX_LINES);
    const plot = new UPlot(
      {
        width: element.clientWidth,
        height: HEIGHT_PX,
        // Room for half a label on either side.
        padding: [null, 32, null, null],
        axes: [{ values: (_plot, times) => timeLabels(times), space: LABEL_SPACE_PX }, {}],
        series: [
          { label: 'Time', value: (_plot, time) => (time === null ? '' : momentText(time)) },
          ...columns.map(({ name }, index) => ({
            label: name,
            stroke: COLOURS[index % COLOURS.length] ?? '#000',
            dash: DASHES[Math.floor(index / COLOURS.length) % DASHES.length] ?? [],
            points: { size: 4 },
          })),
        ],
        legend: { show: columns.length <= 20 },
      },
      [[...table.times], ...columns.map(({ values }) => [...values])],
      element,
    );
    plot.setScale('x', { min: span.startSeconds, max: span.endSeconds });
    const observer = new ResizeObserver(() =>
      plot.setSize({ width: element.clientWidth, height: HEIGHT_PX }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [table, span]);
  return <div ref={holder} className="plot" data-testid="plot" />;
}
