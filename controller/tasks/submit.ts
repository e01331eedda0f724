import type { RunAnswer, RunRequest } from '../../shared/api/tasks.ts';
import type { OrganizationRow } from '../store/access.ts';
import type { NewRun } from '../store/runs.ts';
import type { Actor } from '../devices/actor.ts';

export interface Submission {
  actor: Actor;
  organization: OrganizationRow;
  request: RunRequest;
  trigger: NewRun['trigger'];
  /** The answer is kept under the key in the transaction that creates the tasks. */
  idempotency?: {
    accountId: string;
    key: string;
    /** SHA-256 of method, path and body. */
    requestDigest: string;
    /** HTTP status to keep beside the answer. */
    status: number;
  };
}

export interface Submitted {
  answer: RunAnswer;
  /** True when the key had been used for the same request before: nothing was created now. */
  replayed: boolean;
}
