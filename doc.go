// Package outcrop is the vocabulary of Outcrop: the nouns that the AWS side and the
// numeric side agree on, the interfaces between rooms, and the errors people see.
//
// It knows no protocol, no database and no arithmetic, and imports only the standard
// library and format/chat, the words of a conversation. Every other package is a room, and
// package server joins them. ARCHITECTURE.md says where the rooms are and what each may import.
//
//	Job         a model customization job: the durable row is also the queue entry
//	CustomModel what a completed job leaves behind
//	Throughput  provisioned throughput: reserved, metered capacity for one model
//	FoundationModel  a model directory in Hugging Face layout plus its catalog entry
//	TrainSpec   the validated hyperparameters of a job
//	Usage       one metered event
package outcrop
