/** A few eBPF instructions, enough for a device filter: struct bpf_insn is code, dst:4|src:4, off, imm. */
export interface Instruction {
	readonly code: number;
	readonly dst?: number;
	readonly src?: number;
	/** A jump's target: the name of a label. */
	readonly target?: string;
	readonly offset?: number;
	readonly immediate?: number;
}
export type Line = Instruction | { readonly label: string };

export const INSTRUCTION_BYTES = 8;

/** dst = *(u32 *)(src + offset) */
export const load32 = (dst: number, src: number, offset: number): Instruction => ({
	code: 0x61,
	dst,
	src,
	offset,
});
/** dst = src (32 bit) */
export const move = (dst: number, src: number): Instruction => ({ code: 0xbc, dst, src });
/** dst = immediate (32 bit) */
export const moveImmediate = (dst: number, immediate: number): Instruction => ({
	code: 0xb4,
	dst,
	immediate,
});
/** dst &= immediate (32 bit) */
export const andImmediate = (dst: number, immediate: number): Instruction => ({ code: 0x54, dst, immediate });
/** dst >>= immediate (32 bit) */
export const shiftRight = (dst: number, immediate: number): Instruction => ({ code: 0x74, dst, immediate });
/** if (dst != immediate) goto target (32 bit: a major number may have the highest bit set) */
export const jumpUnlessEqual = (dst: number, immediate: number, target: string): Instruction => ({
	code: 0x56,
	dst,
	immediate,
	target,
});
/** if (dst == immediate) goto target (32 bit) */
export const jumpIfEqual = (dst: number, immediate: number, target: string): Instruction => ({
	code: 0x16,
	dst,
	immediate,
	target,
});
export const exit = (): Instruction => ({ code: 0x95 });
export const label = (name: string): Line => ({ label: name });

/** Resolves labels and encodes: struct bpf_insn[]. Jumps go forward only. */
export function assemble(lines: readonly Line[]): Buffer {
	const positions = new Map<string, number>();
	const instructions: Instruction[] = [];
	for (const line of lines) {
		if ('label' in line) positions.set(line.label, instructions.length);
		else instructions.push(line);
	}
	const program = Buffer.alloc(instructions.length * INSTRUCTION_BYTES);
	for (const [
		index,
		{ code, dst = 0, src = 0, target, offset = 0, immediate = 0 },
	] of instructions.entries()) {
		const at = index * INSTRUCTION_BYTES;
		program.writeUInt8(code, at);
		program.writeUInt8((src << 4) | dst, at + 1);
		program.writeInt16LE(target === undefined ? offset : distance(positions, target, index), at + 2);
		program.writeInt32LE(immediate | 0, at + 4);
	}
	return program;
}

function distance(positions: ReadonlyMap<string, number>, target: string, from: number): number {
	const position = positions.get(target);
	if (position === undefined || position <= from)
		throw new RangeError(`no label ${target} after instruction ${from}`);
	return position - from - 1;
}
