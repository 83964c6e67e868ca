import { VirtualClock } from '@pollux/base';
import { START_MS, TestNode, type TestNodeOptions } from './world.ts';

/** One alertmanager that is killed and started again over the same directory. For tests. */
export class Lives {
  readonly clock = new VirtualClock(START_MS);
  readonly nodes: TestNode[] = [];
  readonly #options: TestNodeOptions;

  constructor(options: TestNodeOptions) {
    this.#options = options;
    this.start();
  }

  get node(): TestNode {
    return this.nodes.at(-1)!;
  }

  start(options: Partial<TestNodeOptions> = {}): TestNode {
    const directory = this.nodes[0]?.directory;
    const node = new TestNode({
      clock: this.clock,
      ...(directory === undefined ? {} : { directory }),
      ...this.#options,
      ...options,
    });
    this.nodes.push(node);
    return node;
  }

  /** `downSeconds` after kill -9 the next life begins. */
  async restart(downSeconds = 0, options: Partial<TestNodeOptions> = {}): Promise<void> {
    this.node.kill();
    await this.advance(downSeconds);
    this.start(options);
  }

  async advance(seconds: number): Promise<void> {
    await this.clock.advance(seconds * 1000);
  }

  /** What was sent in all lives. */
  get sent(): string[] {
    return this.nodes.flatMap((node) => node.sent);
  }

  async alerts(): Promise<Record<string, unknown>[]> {
    return (await this.node.request('GET', '/api/v2/alerts')).json as Record<string, unknown>[];
  }

  async get<T>(path: string): Promise<T> {
    return (await this.node.request('GET', path)).json as T;
  }

  async end(): Promise<void> {
    await this.node.close();
    this.nodes[0]?.removeDirectory();
  }
}
