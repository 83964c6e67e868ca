import { errorText } from '@pollux/base';
import type { TargetGroup } from '@pollux/discovery';
import type { Labels } from '@pollux/model';
import type { ScrapeConfig } from './config.ts';
import { type LoopDeps, ScrapeLoop } from './scrape-loop.ts';
import { populateTarget, type Target } from './target-labels.ts';

/** The loops of one job, and the targets that relabelling dropped. */
export class ScrapePool {
  readonly config: ScrapeConfig;
  readonly #deps: LoopDeps;
  readonly #loops = new Map<string, ScrapeLoop>();
  /** Ends the waits of removed loops when the process ends. */
  readonly #shutdown: AbortSignal;
  #dropped: Labels[] = [];
  #droppedCount = 0;

  constructor(config: ScrapeConfig, deps: LoopDeps, shutdown: AbortSignal) {
    this.config = config;
    this.#deps = deps;
    this.#shutdown = shutdown;
    deps.metrics.pools.created.inc();
    deps.metrics.pools.targetLimit.with(config.jobName).set(config.targetLimit);
  }

  get loops(): IterableIterator<ScrapeLoop> {
    return this.#loops.values();
  }

  /** Discovered labels of dropped targets; at most `keep_dropped_targets` of them, when that is set. */
  get dropped(): readonly Labels[] {
    return this.#dropped;
  }

  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** Makes the running loops those of `groups`: unchanged targets keep theirs. */
  sync(groups: readonly TargetGroup[]): void {
    const { env, metrics } = this.#deps;
    const { jobName } = this.config;
    const startMs = env.clock.monotonic();
    const wanted = this.#populate(groups);
    for (const [key, loop] of this.#loops) {
      if (wanted.has(key)) continue;
      this.#loops.delete(key);
      this.#end(loop);
    }
    for (const [key, target] of wanted) {
      if (this.#loops.has(key)) continue;
      const loop = new ScrapeLoop(target, this.config, this.#deps);
      this.#loops.set(key, loop);
      loop.start();
    }
    this.#applyTargetLimit();
    metrics.pools.targets.with(jobName).set(this.#loops.size);
    metrics.pools.syncs.with(jobName).inc();
    metrics.pools.syncLength.with(jobName).observe((env.clock.monotonic() - startMs) / 1_000);
  }

  /** The job is gone or scrapes otherwise now: every target ends, with stale markers unless the process is ending. */
  stop(): void {
    for (const loop of this.#loops.values()) this.#end(loop);
    this.#loops.clear();
    this.#deps.metrics.pools.remove(this.config.jobName);
  }

  /** Ends with the process: no stale markers. */
  async close(): Promise<void> {
    await Promise.all([...this.#loops.values()].map((loop) => loop.close()));
  }

  #populate(groups: readonly TargetGroup[]): Map<string, Target> {
    const { metrics, log } = this.#deps;
    const wanted = new Map<string, Target>();
    this.#dropped = [];
    this.#droppedCount = 0;
    const { keepDroppedTargets, jobName } = this.config;
    for (const group of groups) {
      for (const own of group.targets) {
        const outcome = populateTarget(own, group, this.config);
        switch (outcome.kind) {
          case 'active':
            wanted.set(keyOf(outcome.target), outcome.target);
            break;
          case 'dropped':
            this.#droppedCount++;
            if (keepDroppedTargets === 0 || this.#dropped.length < keepDroppedTargets)
              this.#dropped.push(outcome.discovered);
            break;
          case 'failed':
            metrics.pools.syncFailed.with(jobName).inc();
            log.error('creating target failed', {
              scrape_pool: jobName,
              target: outcome.discovered.toString(),
              err: outcome.reason,
            });
        }
      }
    }
    return wanted;
  }

  #applyTargetLimit(): void {
    const { targetLimit } = this.config;
    const isOver = targetLimit > 0 && this.#loops.size > targetLimit;
    if (isOver) this.#deps.metrics.pools.exceededTargetLimit.inc();
    const text = isOver
      ? `target_limit exceeded (number of targets: ${this.#loops.size}, limit: ${targetLimit})`
      : null;
    for (const loop of this.#loops.values()) loop.setForcedError(text);
  }

  #end(loop: ScrapeLoop): void {
    loop.stop(this.#shutdown).catch((error: unknown) => {
      this.#deps.log.error('ending a scrape loop failed', {
        target: loop.target.url,
        err: errorText(error),
      });
    });
  }
}

/** Targets with equal labels and address are one; times and switches are part of it, so that a change of them takes effect. */
function keyOf(target: Target): string {
  const { labels, url, intervalMs, timeoutMs, histograms } = target;
  const { native, alwaysClassic, toCustomBuckets } = histograms;
  return [labels.key(), url, intervalMs, timeoutMs, native, alwaysClassic, toCustomBuckets].join(
    '\n',
  );
}
