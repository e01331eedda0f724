/** Why an agent task ends without an answer. `code` is stable, for programs. */
export type FailureCode =
  | 'steps_exceeded'
  | 'tokens_exceeded'
  | 'timed_out'
  | 'transcript_too_large'
  | 'output_too_large'
  | 'model_unavailable'
  | 'model_refused'
  | 'model_nonsense'
  | 'assistant_not_configured';

export class RunFailure extends Error {
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string) {
    super(message);
    this.name = 'RunFailure';
    this.code = code;
  }
}
