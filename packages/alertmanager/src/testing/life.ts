import { type Clock, type File, type Files, OperatingError, type Timer } from '@pollux/base';

/** One process' hold on the world: after its end no timer of it fires and nothing of it reaches the disk. For tests. */
export class Life {
  #isOver = false;

  /** As by kill -9: what was written stays written. */
  end(): void {
    this.#isOver = true;
  }

  clock(world: Clock): Clock {
    return {
      now: () => world.now(),
      monotonic: () => world.monotonic(),
      after: (delayMs: number, callback: () => void): Timer =>
        world.after(delayMs, () => {
          if (!this.#isOver) callback();
        }),
    };
  }

  files(world: Files): Files {
    return this.#guarded(world, (name, value) =>
      name === 'open' ? this.#guarded(value as File, (_, inner) => inner) : value,
    );
  }

  #guarded<T extends object>(target: T, result: (name: string, value: unknown) => unknown): T {
    return new Proxy(target, {
      get: (object, key) => {
        const member: unknown = Reflect.get(object, key, object);
        if (typeof member !== 'function') return member;
        return (...values: unknown[]): unknown => {
          if (this.#isOver) throw new OperatingError('TEST.DEAD', 'the process was killed');
          return result(String(key), Reflect.apply(member, object, values));
        };
      },
    });
  }
}
