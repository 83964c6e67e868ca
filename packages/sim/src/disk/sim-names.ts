import { DirectoryNode, type Node, type Survival } from './sim-inode.ts';

/** One name in one directory: bound to a node, or gone. */
type Change = {
  readonly directory: DirectoryNode;
  readonly name: string;
  readonly node: Node | null;
};
/** A step of the file system: a rename takes one name and gives another, and happens as a whole or not at all. */
type Step = Change[];

/**
 * The names of a disk and which of them are on the platters. A change of a name is durable when a directory that it concerns
 * was synced since; until then a power cut may take it back, and it may keep a later change and not an earlier one, as POSIX
 * allows and journals mostly do not.
 */
export class SimNames {
  readonly root = new DirectoryNode();
  #pending: Step[] = [];

  /** Binds (or removes, where `node` is null) the names in one step. */
  change(step: Step): void {
    for (const { directory, name, node } of step) {
      if (node === null) directory.entries.delete(name);
      else directory.entries.set(name, node);
    }
    this.#pending.push(step);
  }

  /** Makes the step that was just given durable. */
  settleLast(): void {
    const step = this.#pending.at(-1);
    if (step !== undefined) this.#settle(step);
  }

  sync(directory: DirectoryNode): void {
    for (const step of [...this.#pending]) {
      if (step.some((change) => change.directory === directory)) this.#settle(step);
    }
  }

  /** The power was cut: names and contents are from here on what the platters hold. */
  cutPower(survival: Survival): void {
    const pending = this.#pending;
    this.#pending = [];
    let kept = survival === 'all' ? pending.length : 0;
    let isAnySubset = false;
    if (typeof survival === 'object') {
      isAnySubset = survival.some.below(2) === 0;
      kept = survival.some.below(pending.length + 1);
    }
    for (const [index, step] of pending.entries()) {
      const isKept =
        isAnySubset && typeof survival === 'object' ? survival.some.below(2) === 0 : index < kept;
      if (isKept) for (const change of step) applyDurable(change);
    }
    const seen = new Set<Node>();
    const revive = (directory: DirectoryNode): void => {
      directory.entries = new Map(directory.durable);
      for (const node of directory.entries.values()) {
        if (seen.has(node)) continue;
        seen.add(node);
        if (node.kind === 'directory') revive(node);
        else node.cutPower(survival);
      }
    };
    revive(this.root);
  }

  #settle(step: Step): void {
    const at = this.#pending.indexOf(step);
    for (const change of step) {
      applyDurable(change);
      // What came before it on this name can no longer be what a power cut leaves.
      for (const earlier of this.#pending.slice(0, at)) {
        const index = earlier.findIndex(
          ({ directory, name }) => directory === change.directory && name === change.name,
        );
        if (index >= 0) earlier.splice(index, 1);
      }
    }
    this.#pending = this.#pending.filter((other) => other !== step && other.length > 0);
  }
}

function applyDurable({ directory, name, node }: Change): void {
  if (node === null) directory.durable.delete(name);
  else directory.durable.set(name, node);
}
