/** What may be tuned about the controller's logic. Times in milliseconds. */
export interface ControllerSettings {
  /** Base URL that devices and people reach the controller under. */
  publicUrl: string;
  /** How often the dispatcher looks at the store when nothing wakes it. */
  pollMs: number;
  heartbeatMs: number;
  /** Silence after which a link is dead. */
  deadAfterMs: number;
  /** A link without hello is closed after this. */
  helloTimeoutMs: number;
  /** A link that lets more bytes than this pile up is closed. */
  maxBufferedBytes: number;
  /** Links admitted per second, and how many may come at once; the rest is told when to retry. */
  admissionsPerSecond: number;
  admissionsBurst: number;
  /** Added to a task's timeout: the device enforces the timeout itself, and its own report says more. */
  timeoutGraceMs: number;
  /** How long a device must stay away after `powering_off` before SHUTDOWN counts as done. */
  shutdownAbsenceMs: number;
  /** An offer without an answer is forgotten after this, so that the task is offered again. */
  offerAnswerMs: number;
  /** Pause of a lane after a passing refusal, and after `disk_full`. */
  lanePauseMs: number;
  diskFullPauseMs: number;
  /** Ended tasks, runs and audit entries are kept this long. */
  taskRetentionMs: number;
  auditRetentionMs: number;
  eventRetentionMs: number;
  eventRetentionCount: number;
  idempotencyMs: number;
  /** A schedule whose time came while nobody looked still fires within this. */
  scheduleGraceMs: number;
  /** Remote sessions that wait or are open. */
  maxSessions: number;
}

const days = 86_400_000;

export const defaultSettings: ControllerSettings = {
  publicUrl: 'http://127.0.0.1:7443',
  pollMs: 1_000,
  heartbeatMs: 25_000,
  deadAfterMs: 60_000,
  helloTimeoutMs: 10_000,
  maxBufferedBytes: 4 * 1024 * 1024,
  admissionsPerSecond: 5_000,
  admissionsBurst: 10_000,
  timeoutGraceMs: 15_000,
  shutdownAbsenceMs: 120_000,
  offerAnswerMs: 30_000,
  lanePauseMs: 5_000,
  diskFullPauseMs: 30_000,
  taskRetentionMs: 90 * days,
  auditRetentionMs: 365 * days,
  eventRetentionMs: 7 * days,
  eventRetentionCount: 500_000,
  idempotencyMs: days,
  scheduleGraceMs: 300_000,
  maxSessions: 2_000,
};
