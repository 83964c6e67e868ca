import { InputError, LimitError, OperatingError } from '@pollux/base';

/** A matcher expression refused; `place` is `column N` when the parser knows it. */
export class MatcherError extends InputError {
  constructor(message: string, place = '') {
    super('ALERTMANAGER.BAD_MATCHER', place, message);
  }
}

/** A time interval of the configuration refused. */
export class TimeIntervalError extends InputError {
  constructor(message: string) {
    super('ALERTMANAGER.BAD_TIME_INTERVAL', '', message);
  }
}

/** An alert that the API received is refused. */
export class AlertError extends InputError {
  constructor(message: string) {
    super('ALERTMANAGER.BAD_ALERT', '', message);
  }
}

/** A silence refused by its content. */
export class SilenceError extends InputError {
  constructor(message: string) {
    super('ALERTMANAGER.BAD_SILENCE', '', message);
  }
}

/** The id names no silence. */
export class SilenceNotFoundError extends InputError {
  constructor(id: string) {
    super('ALERTMANAGER.SILENCE_NOT_FOUND', '', `silence ${id} not found`);
  }
}

/** The schedule of a recurring silence refused. */
export class RecurringSilenceError extends InputError {
  constructor(message: string) {
    super('ALERTMANAGER.BAD_SCHEDULE', 'schedule', message);
  }
}

export class SilenceLimitError extends LimitError {
  constructor(limit: 'silences.max-silences' | 'silences.max-silence-size-bytes', message: string) {
    super('ALERTMANAGER.SILENCE_LIMIT', limit, message);
  }
}

/** Another member notified after a flush had begun, of more than the flush knows: what is left of it waits for the next. */
export class OvertakenError extends OperatingError {
  constructor() {
    super('ALERTMANAGER.OVERTAKEN', 'another member notified meanwhile');
  }
}

/** A snapshot file that cannot be read; nothing of it was taken over. */
export class SnapshotError extends InputError {
  constructor(path: string, cause: unknown) {
    super(
      'ALERTMANAGER.BAD_SNAPSHOT',
      path,
      'the snapshot is damaged; restore it from a cluster member or move it away to start without it',
      { cause },
    );
  }
}

/** Why a delivery failed, as `alertmanager_notifications_failed_total{reason}` counts it. */
export type FailureReason =
  | 'other'
  | 'clientError'
  | 'serverError'
  | 'contextCanceled'
  | 'contextDeadlineExceeded'
  | 'authError'
  | 'rateLimited';

/** A receiver refused a notification or could not be reached. `retry` tells whether another attempt may succeed. */
export class DeliveryError extends OperatingError {
  readonly retry: boolean;
  readonly reason: FailureReason;

  constructor(
    message: string,
    options: { retry: boolean; reason?: FailureReason; cause?: unknown },
  ) {
    super(
      'ALERTMANAGER.DELIVERY',
      message,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.retry = options.retry;
    this.reason = options.reason ?? 'other';
  }
}
