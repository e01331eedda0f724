/** Texts in one sentence; a long list in brief. */
export const listed = (texts: string[]): string =>
  texts.length <= 20 ? texts.join(', ') : `${texts.slice(0, 20).join(', ')} and ${texts.length - 20} more`;
