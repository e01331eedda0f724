import type { Instant } from '../../shared/clock.ts';
import type { StoredMessage } from '../store/assistant.ts';
import type { ChatMessage, ToolCall } from './chat-model.ts';

type Content = { text: string; toolCalls?: ToolCall[]; toolCallId?: string };

/** A message as the store keeps it. */
export function toStored(message: ChatMessage, at: Instant): Omit<StoredMessage, 'seq'> {
  const { role, ...content } = message;
  return { at, role, content: JSON.stringify(content satisfies Content) };
}

/** The message that was kept. */
export function fromStored({ role, content }: Pick<StoredMessage, 'role' | 'content'>): ChatMessage {
  const { text, toolCalls = [], toolCallId = '' } = JSON.parse(content) as Content; // written by this module
  if (role === 'assistant') return { role, text, toolCalls };
  if (role === 'tool') return { role, text, toolCallId };
  return { role, text };
}
