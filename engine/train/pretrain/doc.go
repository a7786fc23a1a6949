// Package pretrain trains a base model from text: it is what `outcrop pretrain` does.
//
// It reads JSON lines, {"text"} for running text and {"prompt","completion"} for
// instructions, leaves out what may not be shared, tokenises, mixes by stages, trains with
// package train, and writes a model directory in Hugging Face layout with a record of how
// it came to be.
//
// Running text ends with <|eos|>; instructions are rendered as fine-tuning and serving
// render them. The loss counts every token of both: at this size what the prompts say is
// text to learn from, too.
package pretrain
