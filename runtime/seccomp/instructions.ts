/** struct sock_filter: classic BPF, as seccomp(2) takes it. Jumps count from the instruction after them. */
export interface Instruction {
	readonly code: number;
	/** How many instructions a comparison skips when it holds, and when it does not. */
	readonly jt: number;
	readonly jf: number;
	readonly k: number;
}

/** A = the 32 bits at offset k of struct seccomp_data */
export const LOAD = 0x20;
/** A &= k */
export const AND = 0x54;
/** skip k */
export const JUMP = 0x05;
/** A == k, A > k, A >= k; A and k are unsigned */
export const EQUAL = 0x15;
export const GREATER = 0x25;
export const AT_LEAST = 0x35;
/** answer k */
export const RETURN = 0x06;

/** struct seccomp_data { int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; } */
export const NUMBER_OFFSET = 0;
export const ARCH_OFFSET = 4;

const BYTES = 8;

/** On a big-endian machine the codes become unknown ones, and the program stays as it is. */
export function decodeProgram(program: Buffer): Instruction[] {
	return Array.from({ length: program.length / BYTES }, (_, index) => ({
		code: program.readUInt16LE(index * BYTES),
		jt: program.readUInt8(index * BYTES + 2),
		jf: program.readUInt8(index * BYTES + 3),
		k: program.readUInt32LE(index * BYTES + 4),
	}));
}

export function encodeProgram(instructions: readonly Instruction[]): Buffer {
	const program = Buffer.alloc(instructions.length * BYTES);
	for (const [index, { code, jt, jf, k }] of instructions.entries()) {
		program.writeUInt16LE(code, index * BYTES);
		program.writeUInt8(jt, index * BYTES + 2);
		program.writeUInt8(jf, index * BYTES + 3);
		program.writeUInt32LE(k, index * BYTES + 4);
	}
	return program;
}
