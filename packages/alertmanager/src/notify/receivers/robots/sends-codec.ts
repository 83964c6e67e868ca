import { DecodeError } from '@pollux/base';
import {
  delimited,
  delimitedMessages,
  fieldsOf,
  MessageWriter,
  textField,
  timeField,
} from '../../../wire/protobuf.ts';
import { fromMs, toMs } from '../../../wire/timestamp.ts';

/** One message, as members tell it to each other. */
export type WireSend = {
  /** 16 hexadecimal digits. */
  readonly robot: string;
  readonly id: string;
  readonly wallMs: number;
};

const HEX = /^[0-9a-f]{16}$/;

export function encodeSend({ robot, id, wallMs }: WireSend): Uint8Array {
  const message = new MessageWriter().text(1, robot).text(2, id).time(3, fromMs(wallMs));
  return delimited(message.take());
}

/** All or nothing: throws a DecodeError. */
export function decodeSends(data: Uint8Array): WireSend[] {
  const sends: WireSend[] = [];
  for (const message of delimitedMessages(data)) {
    let robot = '';
    let id = '';
    let wallMs = 0;
    for (const field of fieldsOf(message)) {
      if (field.number === 1) robot = textField(field);
      else if (field.number === 2) id = textField(field);
      else if (field.number === 3) wallMs = toMs(timeField(field));
    }
    if (!HEX.test(robot) || !HEX.test(id)) throw new DecodeError('robot message without ids', 0);
    sends.push({ robot, id, wallMs });
  }
  return sends;
}
