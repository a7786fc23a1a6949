package model

import (
	"slices"
	"strings"
	"testing"
)

// published are the config.json of models that people use, as their owners publish them, but for
// what no program reads (auto_map, task_specific_params, …); params is how many weights their
// files hold for the text model, a tied head once.
var published = []struct {
	name, file string
	params     int
	check      func(Config) bool
}{
	{"HuggingFaceTB/SmolLM2-135M", `{"architectures":["LlamaForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"bos_token_id":0,"eos_token_id":0,
		"hidden_act":"silu","hidden_size":576,"initializer_range":0.041666666666666664,"intermediate_size":1536,"is_llama_config":true,
		"max_position_embeddings":8192,"mlp_bias":false,"model_type":"llama","num_attention_heads":9,"num_hidden_layers":30,"num_key_value_heads":3,
		"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_interleaved":false,"rope_scaling":null,"rope_theta":100000,"tie_word_embeddings":true,
		"torch_dtype":"bfloat16","transformers_version":"4.40.1","use_cache":true,"vocab_size":49152}`, 134515008,
		func(c Config) bool { return c.Theta == 1e5 && c.HeadSize == 64 && c.Tied }},
	{"HuggingFaceTB/SmolLM2-360M-Instruct", `{"architectures":["LlamaForCausalLM"],"attention_bias":false,"bos_token_id":1,"eos_token_id":2,"hidden_act":"silu",
		"hidden_size":960,"intermediate_size":2560,"is_llama_config":true,"max_position_embeddings":8192,"mlp_bias":false,"model_type":"llama",
		"num_attention_heads":15,"num_hidden_layers":32,"num_key_value_heads":5,"pad_token_id":2,"pretraining_tp":1,"rms_norm_eps":1e-05,
		"rope_interleaved":false,"rope_scaling":null,"rope_theta":100000,"tie_word_embeddings":true,"torch_dtype":"bfloat16",
		"transformers.js_config":{"kv_cache_dtype":{"q4f16":"float16","fp16":"float16"}},"use_cache":true,"vocab_size":49152}`, 361821120,
		func(c Config) bool { return slices.Equal(c.EOS, []int{2}) && *c.Pad == 2 }},
	{"TinyLlama/TinyLlama-1.1B-Chat-v1.0", `{"architectures":["LlamaForCausalLM"],"attention_bias":false,"bos_token_id":1,"eos_token_id":2,"hidden_act":"silu",
		"hidden_size":2048,"intermediate_size":5632,"max_position_embeddings":2048,"model_type":"llama","num_attention_heads":32,"num_hidden_layers":22,
		"num_key_value_heads":4,"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_scaling":null,"rope_theta":10000.0,"tie_word_embeddings":false,
		"torch_dtype":"bfloat16","vocab_size":32000}`, 1100048384, nil},
	{"meta-llama/Llama-2-7b-chat-hf", `{"_name_or_path":"meta-llama/Llama-2-7b-chat-hf","architectures":["LlamaForCausalLM"],"bos_token_id":1,"eos_token_id":2,
		"hidden_act":"silu","hidden_size":4096,"intermediate_size":11008,"max_position_embeddings":4096,"model_type":"llama","num_attention_heads":32,
		"num_hidden_layers":32,"num_key_value_heads":32,"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_scaling":null,"tie_word_embeddings":false,
		"torch_dtype":"float16","use_cache":true,"vocab_size":32000}`, 6738415616,
		func(c Config) bool { return c.Theta == 1e4 && c.DType == BFloat16 && !c.Tied }},
	{"meta-llama/Meta-Llama-3-8B-Instruct", `{"architectures":["LlamaForCausalLM"],"attention_bias":false,"bos_token_id":128000,"eos_token_id":128009,"hidden_act":"silu",
		"hidden_size":4096,"intermediate_size":14336,"max_position_embeddings":8192,"model_type":"llama","num_attention_heads":32,"num_hidden_layers":32,
		"num_key_value_heads":8,"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_scaling":null,"rope_theta":500000.0,"tie_word_embeddings":false,
		"torch_dtype":"bfloat16","vocab_size":128256}`, 8030261248, nil},
	{"meta-llama/Llama-3.2-1B-Instruct", `{"architectures":["LlamaForCausalLM"],"attention_bias":false,"bos_token_id":128000,"eos_token_id":[128001,128008,128009],
		"head_dim":64,"hidden_act":"silu","hidden_size":2048,"intermediate_size":8192,"max_position_embeddings":131072,"mlp_bias":false,"model_type":"llama",
		"num_attention_heads":32,"num_hidden_layers":16,"num_key_value_heads":8,"pretraining_tp":1,"rms_norm_eps":1e-05,
		"rope_scaling":{"factor":32.0,"high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_type":"llama3"},
		"rope_theta":500000.0,"tie_word_embeddings":true,"torch_dtype":"bfloat16","vocab_size":128256}`, 1235814400, llama32},
	{"Llama-3.2-1B, saved by transformers 5", `{"architectures":["LlamaForCausalLM"],"bos_token_id":128000,"dtype":"bfloat16","eos_token_id":[128001,128008,128009],
		"head_dim":64,"hidden_act":"silu","hidden_size":2048,"intermediate_size":8192,"max_position_embeddings":131072,"model_type":"llama",
		"num_attention_heads":32,"num_hidden_layers":16,"num_key_value_heads":8,"pad_token_id":null,"rms_norm_eps":1e-05,
		"rope_parameters":{"factor":32.0,"high_freq_factor":4.0,"low_freq_factor":1.0,"original_max_position_embeddings":8192,"rope_theta":500000.0,"rope_type":"llama3"},
		"tie_word_embeddings":true,"transformers_version":"5.0.0","vocab_size":128256}`, 1235814400, llama32},
	{"mistralai/Mistral-7B-Instruct-v0.1", mistral7B + `"rope_theta":10000.0,"sliding_window":4096,"vocab_size":32000}`, 7241732096,
		func(c Config) bool { return c.Window == 4096 }},
	{"mistralai/Mistral-7B-Instruct-v0.2", mistral7B + `"attention_dropout":0.0,"rope_theta":1000000.0,"sliding_window":null,"vocab_size":32000}`, 7241732096,
		func(c Config) bool { return c.Window == 0 && c.Theta == 1e6 }},
	{"mistralai/Mistral-7B-Instruct-v0.3", mistral7B + `"head_dim":null,"rope_theta":1000000.0,"sliding_window":null,"vocab_size":32768}`, 7248023552,
		func(c Config) bool { return c.Window == 0 && c.HeadSize == 128 }},
	{"Qwen/Qwen2.5-0.5B-Instruct", qwen05B + `"max_window_layers":21,"rope_theta":1000000.0,"torch_dtype":"bfloat16","use_mrope":false}`, 494032768,
		func(c Config) bool { return c.QKVBias && !c.OBias && c.Window == 0 && c.Tied }},
	{"Qwen2.5-0.5B, saved by transformers 4.56", qwen05B + `"dtype":"bfloat16","layer_types":[` + strings.Repeat(`"full_attention",`, 23) + `"full_attention"],
		"max_window_layers":21,"rope_scaling":null,"rope_theta":1000000.0}`, 494032768,
		func(c Config) bool { return c.Window == 0 && c.DType == BFloat16 }},
	{"Qwen/Qwen3-0.6B", `{"architectures":["Qwen3ForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"bos_token_id":151643,"eos_token_id":151645,
		"head_dim":128,"hidden_act":"silu","hidden_size":1024,"intermediate_size":3072,"max_position_embeddings":40960,"max_window_layers":28,
		"model_type":"qwen3","num_attention_heads":16,"num_hidden_layers":28,"num_key_value_heads":8,"rms_norm_eps":1e-06,"rope_scaling":null,
		"rope_theta":1000000,"sliding_window":null,"tie_word_embeddings":true,"torch_dtype":"bfloat16","use_sliding_window":false,"vocab_size":151936}`, 596049920,
		func(c Config) bool { return c.HeadSize == 128 && c.Window == 0 }},
	{"google/gemma-3-270m-it", `{"_sliding_window_pattern":6,"architectures":["Gemma3ForCausalLM"],"attention_bias":false,"attn_logit_softcapping":null,
		"bos_token_id":2,"eos_token_id":1,"final_logit_softcapping":null,"head_dim":256,"hidden_activation":"gelu_pytorch_tanh","hidden_size":640,
		"intermediate_size":2048,"layer_types":[` + strings.Repeat(gemmaSix+",", 2) + gemmaSix + `],"max_position_embeddings":32768,"model_type":"gemma3_text",
		"num_attention_heads":4,"num_hidden_layers":18,"num_key_value_heads":1,"pad_token_id":0,"query_pre_attn_scalar":256,"rms_norm_eps":1e-06,
		"rope_local_base_freq":10000.0,"rope_scaling":null,"rope_theta":1000000.0,"sliding_window":512,"torch_dtype":"bfloat16",
		"use_bidirectional_attention":false,"use_cache":true,"vocab_size":262144}`, 268098176,
		func(c Config) bool { return c.Tied && c.window(0) == 512 && c.window(5) == 0 && c.LocalTheta == 1e4 }},
	{"google/gemma-3-1b-it", `{"architectures":["Gemma3ForCausalLM"],"attention_bias":false,"attn_logit_softcapping":null,"bos_token_id":2,
		"cache_implementation":"hybrid","eos_token_id":[1,106],"final_logit_softcapping":null,"head_dim":256,"hidden_activation":"gelu_pytorch_tanh",
		"hidden_size":1152,"intermediate_size":6912,"max_position_embeddings":32768,"model_type":"gemma3_text","num_attention_heads":4,
		"num_hidden_layers":26,"num_key_value_heads":1,"pad_token_id":0,"query_pre_attn_scalar":256,"rms_norm_eps":1e-06,"rope_local_base_freq":10000,
		"rope_scaling":null,"rope_theta":1000000,"sliding_window":512,"sliding_window_pattern":6,"torch_dtype":"bfloat16","vocab_size":262144}`, 999885952,
		func(c Config) bool { return c.Tied && c.window(5) == 0 && c.window(25) == 512 && c.Theta == 1e6 }},
	{"google/gemma-3-4b-it", `{"architectures":["Gemma3ForConditionalGeneration"],"boi_token_index":255999,"eoi_token_index":256000,"eos_token_id":[1,106],
		"image_token_index":262144,"mm_tokens_per_image":256,"model_type":"gemma3","text_config":{"hidden_size":2560,"intermediate_size":10240,
		"model_type":"gemma3_text","num_hidden_layers":34,"rope_scaling":{"factor":8.0,"rope_type":"linear"},"sliding_window":1024},
		"torch_dtype":"bfloat16","vision_config":{"hidden_size":1152,"image_size":896,"model_type":"siglip_vision_model"}}`, 3880263168,
		func(c Config) bool {
			return c.Heads == 8 && c.KVHeads == 4 && c.Vocab == 262208 && c.Scaling.Factor == 8 && c.window(0) == 1024 && slices.Equal(c.EOS, []int{1, 106})
		}},
	{"mistralai/Mistral-Nemo-Instruct-2407", `{"architectures":["MistralForCausalLM"],"attention_dropout":0.0,"bos_token_id":1,"eos_token_id":2,"head_dim":128,
		"hidden_act":"silu","hidden_size":5120,"initializer_range":0.02,"intermediate_size":14336,"max_position_embeddings":1024000,"model_type":"mistral",
		"num_attention_heads":32,"num_hidden_layers":40,"num_key_value_heads":8,"rms_norm_eps":1e-05,"rope_theta":1000000.0,"sliding_window":null,
		"tie_word_embeddings":false,"torch_dtype":"bfloat16","use_cache":true,"vocab_size":131072}`, 12247782400,
		func(c Config) bool { return c.Context == 1024000 && c.Window == 0 }},
	{"microsoft/Phi-3-mini-4k-instruct", phi3Mini + `"max_position_embeddings":4096,"rope_scaling":null,"sliding_window":2047}`, 3821079552,
		func(c Config) bool { return c.Window == 2047 && c.Context == 4096 }},
	{"microsoft/Phi-3-mini-128k-instruct", phi3Mini + `"max_position_embeddings":131072,"rope_scaling":{"long_factor":[` + ones + `],"short_factor":[` + ones + `],"type":"longrope"},
		"sliding_window":262144}`, 3821079552,
		func(c Config) bool { return c.Context == 4096 && c.Scaling.Factor == 32 }},
	{"openai-community/gpt2", `{"activation_function":"gelu_new","architectures":["GPT2LMHeadModel"],"attn_pdrop":0.1,"bos_token_id":50256,"embd_pdrop":0.1,
		"eos_token_id":50256,"initializer_range":0.02,"layer_norm_epsilon":1e-05,"model_type":"gpt2","n_ctx":1024,"n_embd":768,"n_head":12,"n_layer":12,
		"n_positions":1024,"resid_pdrop":0.1,"summary_activation":null,"summary_first_dropout":0.1,"summary_proj_to_labels":true,"summary_type":"cls_index",
		"summary_use_proj":true,"task_specific_params":{"text-generation":{"do_sample":true,"max_length":50}},"vocab_size":50257}`, 124439808,
		func(c Config) bool { return c.Tied && c.DType == Float32 && c.FFN == 3072 }},
	{"distilbert/distilgpt2", `{"_num_labels":1,"activation_function":"gelu_new","architectures":["GPT2LMHeadModel"],"bos_token_id":50256,"eos_token_id":50256,
		"id2label":{"0":"LABEL_0"},"label2id":{"LABEL_0":0},"layer_norm_epsilon":1e-05,"model_type":"gpt2","n_ctx":1024,"n_embd":768,"n_head":12,
		"n_layer":6,"n_positions":1024,"vocab_size":50257}`, 81912576, nil},
	{"EleutherAI/pythia-14m", pythia + `"hidden_size":128,"intermediate_size":512,"num_attention_heads":4,"num_hidden_layers":6,"vocab_size":50304}`, 14067712,
		func(c Config) bool { return c.Rotary == 8 && c.Parallel && !c.Tied && c.Act == "gelu" }},
	{"EleutherAI/pythia-410m", pythia + `"hidden_size":1024,"intermediate_size":4096,"num_attention_heads":16,"num_hidden_layers":24,"vocab_size":50304}`, 405334016, nil},
	{"stabilityai/stablelm-base-alpha-3b", `{"architectures":["GPTNeoXForCausalLM"],"bos_token_id":0,"eos_token_id":0,"hidden_act":"gelu","hidden_size":4096,
		"initializer_range":0.02,"intermediate_size":16384,"layer_norm_eps":1e-05,"max_position_embeddings":4096,"model_type":"gpt_neox","num_attention_heads":32,
		"num_hidden_layers":16,"rotary_emb_base":10000,"rotary_pct":0.25,"tie_word_embeddings":false,"torch_dtype":"float16","use_cache":true,
		"use_parallel_residual":true,"vocab_size":50688}`, 3637321728, nil},
}

const (
	mistral7B = `{"architectures":["MistralForCausalLM"],"bos_token_id":1,"eos_token_id":2,"hidden_act":"silu","hidden_size":4096,"intermediate_size":14336,
		"max_position_embeddings":32768,"model_type":"mistral","num_attention_heads":32,"num_hidden_layers":32,"num_key_value_heads":8,"rms_norm_eps":1e-05,
		"tie_word_embeddings":false,"torch_dtype":"bfloat16",`
	qwen05B = `{"architectures":["Qwen2ForCausalLM"],"attention_dropout":0.0,"bos_token_id":151643,"eos_token_id":151645,"hidden_act":"silu","hidden_size":896,
		"intermediate_size":4864,"max_position_embeddings":32768,"model_type":"qwen2","num_attention_heads":14,"num_hidden_layers":24,"num_key_value_heads":2,
		"rms_norm_eps":1e-06,"sliding_window":32768,"tie_word_embeddings":true,"use_sliding_window":false,"vocab_size":151936,`
	gemmaSix = `"sliding_attention","sliding_attention","sliding_attention","sliding_attention","sliding_attention","full_attention"`
	phi3Mini = `{"architectures":["Phi3ForCausalLM"],"attention_bias":false,"attention_dropout":0.0,"bos_token_id":1,"embd_pdrop":0.0,"eos_token_id":32000,
		"hidden_act":"silu","hidden_size":3072,"intermediate_size":8192,"model_type":"phi3","num_attention_heads":32,"num_hidden_layers":32,
		"num_key_value_heads":32,"original_max_position_embeddings":4096,"pad_token_id":32000,"resid_pdrop":0.0,"rms_norm_eps":1e-05,
		"rope_theta":10000.0,"tie_word_embeddings":false,"torch_dtype":"bfloat16","vocab_size":32064,`
	pythia = `{"architectures":["GPTNeoXForCausalLM"],"bos_token_id":0,"classifier_dropout":0.1,"eos_token_id":0,"hidden_act":"gelu","initializer_range":0.02,
		"layer_norm_eps":1e-05,"max_position_embeddings":2048,"model_type":"gpt_neox","rotary_emb_base":10000,"rotary_pct":0.25,"tie_word_embeddings":false,
		"torch_dtype":"float16","use_cache":true,"use_parallel_residual":true,`
)

var ones = strings.Repeat("1.0,", 47) + "1.1"

func llama32(c Config) bool {
	return c.Tied && c.Theta == 5e5 && c.Scaling.Type == scalingLlama3 && c.Scaling.Factor == 32 && len(c.EOS) == 3 && c.DType == BFloat16
}

// TestRopeInBothPlaces: a rope_parameters that says nothing does not hide a rope_scaling.
func TestRopeInBothPlaces(t *testing.T) {
	t.Parallel()
	const scaling = `,"rope_theta":500000,"rope_scaling":{"type":"linear","factor":4}`
	for more, want := range map[string]Config{
		scaling:                             {Theta: 5e5, Scaling: Scaling{Type: scalingLinear, Factor: 4}},
		scaling + `,"rope_parameters":null`: {Theta: 5e5, Scaling: Scaling{Type: scalingLinear, Factor: 4}},
		scaling + `,"rope_parameters":{"rope_type":"default","rope_theta":700000}`:                                         {Theta: 7e5, Scaling: Scaling{Type: scalingLinear, Factor: 4}},
		`,"rope_scaling":null,"rope_parameters":{"rope_type":"linear","factor":2,"rope_theta":700000}`:                     {Theta: 7e5, Scaling: Scaling{Type: scalingLinear, Factor: 2}},
		`,"rope_scaling":{},"rope_theta":500000,"rope_parameters":null`:                                                    {Theta: 5e5},
		`,"model_type":"gemma3_text","head_dim":8,"rope_parameters":null,"rope_scaling":{"rope_type":"linear","factor":8}`: {Theta: 1e6, LocalTheta: 1e4, Scaling: Scaling{Type: scalingLinear, Factor: 8}},
	} {
		c, err := ParseConfig([]byte(goodConfig + more + `}`))
		if err != nil || c.Theta != want.Theta || c.LocalTheta != want.LocalTheta || c.Scaling.Type != want.Scaling.Type || c.Scaling.Factor != want.Scaling.Factor {
			t.Errorf("%s: %+v, %v", more, c, err)
		}
	}
}

// TestPublished: the files of published models are read, and make models of the size that those
// have.
func TestPublished(t *testing.T) {
	t.Parallel()
	for _, x := range published {
		c, err := ParseConfig([]byte(x.file))
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		if c.Params() != x.params || x.check != nil && !x.check(c) {
			t.Errorf("%s has %d weights, want %d: %+v", x.name, c.Params(), x.params, c)
		}
	}
}
