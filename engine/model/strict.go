package model

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// arithmetic are options of config.json, of any family, that change what a model computes.
// Where a family does not read one, a file that sets it asks for what this engine does not
// do. Options that are not listed (initializer_range, use_cache, …) change nothing, or only
// training in transformers (dropout).
var arithmetic = []string{
	"add_cross_attention", "attention_bias", "attention_multiplier", "attn_logit_softcapping", "bias", "clip_qkv",
	"embedding_multiplier", "final_logit_softcapping", "is_encoder_decoder", "layer_types", "logit_scale",
	"logits_scaling", "mlp_bias", "n_routed_experts", "no_rope_layers", "num_experts", "num_local_experts",
	"parallel_attn", "partial_rotary_factor", "qk_layernorm", "quantization_config", "query_pre_attn_scalar",
	"residual_multiplier", "rope_local_base_freq", "rope_parameters", "rope_scaling", "rotary_pct",
	"scale_attn_by_inverse_layer_idx", "sliding_window", "sliding_window_pattern", "use_bidirectional_attention",
	"use_parallel_residual", "use_qk_norm",
}

// parseStrict reads b into file, and refuses options that change the arithmetic and have no
// field there, unless they are set to what is so anyway.
func parseStrict(b []byte, file any) error {
	if err := json.Unmarshal(b, file); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	read := fields(reflect.TypeOf(file).Elem())
	for _, key := range arithmetic {
		v, ok := all[key]
		if ok && !slices.Contains(read, key) && !neutral(v) {
			return fmt.Errorf("%s is %s: this engine does not do that with such a model", key, shorten(v))
		}
	}
	return nil
}

// neutral tells values that switch nothing on: a factor of 1 among them.
func neutral(v json.RawMessage) bool {
	return slices.Contains([]string{"null", "false", "0", "0.0", "1", "1.0", "[]", "{}", `""`}, string(v))
}

// shorten returns at most some characters of v for a message.
func shorten(v json.RawMessage) string {
	const most = 80
	if len(v) > most {
		return string(v[:most]) + "…"
	}
	return string(v)
}

// fields returns the names in JSON of the fields of t and of what it embeds.
func fields(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, fields(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
