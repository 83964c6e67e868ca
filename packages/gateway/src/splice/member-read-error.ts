import { OperatingError } from '@pollux/base';
import type { Upstream } from '../upstream.ts';

/** A member gave no samples; the query may be answered without it. */
export class MemberReadError extends OperatingError {
  readonly upstream: Upstream;
  /** It never will: only whole queries can be asked of it. */
  readonly isUnable: boolean;

  constructor(upstream: Upstream, why: string, how: { isUnable?: boolean; cause?: unknown } = {}) {
    super('GATEWAY.MEMBER_READ', `member ${upstream.name}: ${why}`, { cause: how.cause });
    this.upstream = upstream;
    this.isUnable = how.isUnable ?? false;
  }
}
