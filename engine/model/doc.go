// Package model is the language models themselves: their shapes, their weights in Hugging
// Face layout, training and serving.
//
// A family is one file, named as Hugging Face's model_type: it says what config.json may
// contain, how the tensors are called and arranged, and which of the block's switches are on.
// The arithmetic is package nn's, one block for all families, in training and in serving.
// The package knows no text, no sampling, no optimizer and no AWS.
//
//	m, err := model.Load(dir, exec)            // float32 masters
//	err = m.Plan(model.Budget{Tokens: 8192, Longest: 512})
//	sum, n := m.Accumulate(batch, 1/float32(trained)) // forward and backward
//	err = m.Save(dir)
//
//	s, err := model.LoadServing(dir, exec)     // weights packed for the kernel
//	logits, err := s.Forward([]model.Step{{Session: session, Tokens: prompt}})
//
// With LoRA the weights stay as they are, and small adapters beside them are trained:
//
//	m, err := model.LoadFrozen(base, exec)     // no masters: two bytes a weight
//	err = m.AddLoRA(model.LoRA{Rank: 16, Alpha: 32}) // or m.LoadAdapter(dir); then Plan
//	err = m.SaveAdapter(dir)                   // as Hugging Face's PEFT does
//
//	a, err := s.LoadAdapter(dir)               // any number of them beside one Serving
//	session, err := a.NewSession(512)
//
// The logits of Model and Serving are the same, bit for bit, from the same files.
package model
