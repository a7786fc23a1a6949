// Package amxemu runs a program on a CPU without AMX and performs its tile instructions for
// it, so that the AMX kernels are tested on every x86-64 Linux machine.
//
// A tile instruction faults with SIGILL there. Run traces the program with ptrace(2),
// decodes the instruction at the fault, carries it out on tile registers that it keeps for
// each thread, and lets the program go on after it. It knows the instructions that the
// kernels use; any other fault reaches the program unchanged. An instruction costs some
// ten microseconds.
//
// Sources: Intel 64 and IA-32 Architectures Software Developer's Manual, vol. 2
// (instructions) and vol. 1, chapter "Programming with Intel AMX".
package amxemu
