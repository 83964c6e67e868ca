import { QueryError } from '../errors.ts';
import type { CallNode } from '../plan/nodes.ts';
import type { Batch, SeriesInfo } from './batch.ts';
import type { ExecContext } from './context.ts';
import type { StepGrid } from './grid.ts';
import type { Operator } from './operator.ts';

/** info(): not built yet. */
export class InfoJoin implements Operator {
  constructor(_node: CallNode, _child: Operator, _grid: StepGrid, _context: ExecContext) {}

  series(): Promise<readonly SeriesInfo[]> {
    return Promise.reject(QueryError.execution('function info is not supported yet'));
  }

  async next(): Promise<Batch | null> {
    return null;
  }
}
