import { OperatingError } from '@pollux/base';
import type { NamesAnswer } from '@pollux/storage';

/** Of series put together from several members: evaluation, remote read and federation, which read them, never ask for names. */
export async function noNames(): Promise<NamesAnswer> {
  throw new OperatingError('GATEWAY.NO_NAMES', 'series of several members have no lists of labels');
}
