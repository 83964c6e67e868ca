import type { Batch, Flush } from '../notify/batch.ts';
import type { Integration } from '../notify/integration.ts';
import type { NotificationReason } from '../notify/notification.ts';

/** What the stages of a flush tell, and ask, of notifications that do not get through. */
export interface OwedNotes {
  /** Runs the way of one integration for one group; nothing else sends for these two meanwhile. */
  inTurn<T>(flush: Flush, integration: Integration, way: () => Promise<T>): Promise<T>;
  /** Why a batch that the log does not call for is due all the same: news of its alerts never got through. */
  owedReason(batch: Batch, integration: Integration): NotificationReason | null;
  failed(batch: Batch, integration: Integration, failure: DeliveryFailure): void;
  delivered(flush: Flush, integration: Integration): void;
  /** Another member delivered. */
  overtaken(flush: Flush, integration: Integration): void;
}

export type DeliveryFailure = { readonly error: string; readonly isRetried: boolean };
