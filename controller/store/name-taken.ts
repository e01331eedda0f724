import { AppError } from '../../shared/errors.ts';
import type { Db } from './dialect.ts';

/** Runs a change that may meet a name (or key) in use, and says so as `AppError('name_taken')`. */
export async function orNameTaken(
  db: Db,
  message: (violation: string) => string,
  change: () => Promise<unknown>,
): Promise<void> {
  try {
    await change();
  } catch (cause) {
    const violation = db.dialect.uniqueViolation(cause);
    if (violation === undefined) throw cause;
    throw new AppError('name_taken', message(violation), { cause });
  }
}
