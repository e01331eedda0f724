/** What one tool brings at most, as the model sees it. */
export const maxResultBytes = 16_384;

/**
 * What the fleet said, as data for the model: JSON between marks. `<` stands escaped within, so that nothing that a device wrote can
 * look like the end of the data.
 */
export function asData(value: unknown): string {
  const json = JSON.stringify(value, undefined, 1).replaceAll('<', '\\u003c');
  return `<data>\n${cut(json)}\n</data>`;
}

function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxResultBytes) return text;
  // A character that was cut in two becomes a replacement mark.
  const kept = bytes.subarray(0, maxResultBytes).toString('utf8');
  return `${kept}\n[cut: ${maxResultBytes} of ${bytes.length} bytes; ask for less at a time]`;
}
