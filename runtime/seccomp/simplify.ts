import { Turn } from '#base/turns.ts';
import { Decisions } from './decisions.ts';
import { emit } from './emit.ts';
import { evaluate } from './evaluate.ts';
import { decodeProgram, encodeProgram } from './instructions.ts';

/**
 * A seccomp filter that answers the same to every call, in fewer instructions: the kernel's time to install one grows
 * with them. The program itself when that does not make it shorter, or cannot be shown to answer the same.
 * Done in turns of about a millisecond.
 */
export async function simplifyFilter(program: Buffer): Promise<Buffer> {
	try {
		const decisions = new Decisions();
		const turn = new Turn();
		const meant = await evaluate(decodeProgram(program), decisions, turn);
		await turn.pass();
		const shorter = encodeProgram(emit(meant));
		// What a program means is one object, however it says it.
		const isSame = (await evaluate(decodeProgram(shorter), decisions, turn)) === meant;
		return isSame && shorter.length < program.length ? shorter : program;
	} catch {
		// Not understood. Whatever it is, the program works as it is, and a container is not to fail by this.
		return program;
	}
}
