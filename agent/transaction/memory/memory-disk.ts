import type { ConfirmedState, GoBack, JournalRecord, WantedFile } from '../machine.ts';
import { type MemoryFile, MemoryFiles } from './memory-files.ts';

/** One transaction's folder. */
export interface StoredTransaction {
  id: string;
  journal: JournalRecord[];
  note?: Record<string, unknown>;
  staged: Map<string, { file: WantedFile; text: string } | 'absent'>;
  snapshot: Map<string, MemoryFile | 'absent'>;
  kept: Map<string, string>;
  commands: GoBack['commands'];
  deadline?: { uptimeMs: number; bootId: string };
  /** Becomes the confirmed state with the confirmation. */
  toConfirm?: ConfirmedState;
}

export interface SavedDisk {
  files: [string, MemoryFile][];
  transactions: StoredTransaction[];
  confirmed: ConfirmedState | undefined;
  quarantined: string[];
}

/** What outlives programs and boots. */
export class MemoryDisk {
  readonly files = new MemoryFiles();
  readonly transactions = new Map<string, StoredTransaction>();
  confirmed: ConfirmedState | undefined;
  quarantined: string[] = [];

  /** A copy of everything that is on it. */
  save(): SavedDisk {
    return structuredClone({
      files: this.files.save(),
      transactions: [...this.transactions.values()],
      confirmed: this.confirmed,
      quarantined: this.quarantined,
    });
  }

  load(saved: SavedDisk): void {
    const { files, transactions, confirmed, quarantined } = structuredClone(saved);
    this.files.load(files);
    this.transactions.clear();
    for (const one of transactions) this.transactions.set(one.id, one);
    this.confirmed = confirmed;
    this.quarantined = quarantined;
  }
}
