import { useEffect, useRef } from 'react';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Table } from '../lib/series.ts';

const HEIGHT_PX = 360;
/** Colours that stay apart for most kinds of colour blindness (Okabe and Ito). */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
/** More lines than this cannot be told apart, and drawing them holds the page. */
export const MAX_LINES = 100;

export function Plot({ table }: { readonly table: Table }) {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const columns = table.columns.slice(0, MAX_LINES);
    const plot = new UPlot(
      {
        width: element.clientWidth,
        height: HEIGHT_PX,
        series: [
          {},
          ...columns.map(({ name }, index) => ({
            label: name,
            stroke: COLOURS[index % COLOURS.length] ?? '#000',
          })),
        ],
        legend: { show: columns.length <= 20 },
      },
      [[...table.times], ...columns.map(({ values }) => [...values])],
      element,
    );
    const observer = new ResizeObserver(() =>
      plot.setSize({ width: element.clientWidth, height: HEIGHT_PX }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [table]);
  return <div ref={holder} className="plot" data-testid="plot" />;
}
