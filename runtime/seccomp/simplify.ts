import { Decisions } from './decisions.ts';
import { emit } from './emit.ts';
import { evaluate } from './evaluate.ts';
import { decodeProgram, encodeProgram } from './instructions.ts';

/**
 * A seccomp filter that answers the same to every call, in fewer instructions: the kernel's time to install one grows
 * with them. The program itself when that does not make it shorter, or cannot be shown to answer the same.
 */
export function simplifyFilter(program: Buffer): Buffer {
	try {
		const decisions = new Decisions();
		const meant = evaluate(decodeProgram(program), decisions);
		const shorter = encodeProgram(emit(meant));
		// What a program means is one object, however it says it.
		const isSame = evaluate(decodeProgram(shorter), decisions) === meant;
		return isSame && shorter.length < program.length ? shorter : program;
	} catch {
		// Not understood. Whatever it is, the program works as it is, and a container is not to fail by this.
		return program;
	}
}
