/** What the summary of `ping` says; undefined when there is no summary in the text. */
export interface PingSummary {
  sent: number;
  received: number;
  /** Milliseconds; null when nothing came back, or nothing measured it. */
  meanMs: number | null;
}

/** Reads the summary as iputils, inetutils, BusyBox and the BSDs print it. */
export function parsePingOutput(text: string): PingSummary | undefined {
  const counts = /^(\d{1,9}) packets transmitted, (\d{1,9})(?: packets)? received/m.exec(text);
  if (!counts) return undefined;

  const received = Number(counts[2]);
  const times = /^(?:rtt|round-trip) min\/avg\/max(?:\/[a-z-]+)? = [\d.]+\/(\d{1,12}(?:\.\d{1,9})?)\//m.exec(
    text,
  );
  return { sent: Number(counts[1]), received, meanMs: received > 0 && times ? Number(times[1]) : null };
}
