package server

import (
	"errors"
	"net/http"
	"time"

	"outcrop.dev/outcrop/invoke"
	"outcrop.dev/outcrop/service/bedrock"
	"outcrop.dev/outcrop/service/bedrockruntime"
	"outcrop.dev/outcrop/service/s3"
	"outcrop.dev/outcrop/service/sts"
	"outcrop.dev/outcrop/wire/restjson"
	"outcrop.dev/outcrop/wire/sigv4"
	"outcrop.dev/outcrop/work/attempt"
)

// route puts the services over the rooms and behind the endpoints. A service more is one line
// among them.
func (s *Server) route() {
	r, log := s.rooms, s.cfg.Log
	objects := r.blobs.Objects()

	router := restjson.NewRouter(newRequestID, log)
	router.Hide(s.cfg.DataDir)
	control := bedrock.New(r.store, objects, r.catalog, r.models, s.cfg.Planner, s.cfg.Clock, newID, bedrock.DefaultQuotas(), log)
	s.onClose(control.Close)
	bedrock.Register(router, control)
	invoker := invoke.New(r.store, r.engine, r.meter, invoke.Options{Now: s.cfg.Clock, After: time.After})
	bedrockruntime.Register(router, bedrockruntime.New(r.models, invoker))
	buckets := s3.New(r.blobs, s3.Options{Domains: s.cfg.domains(), NewRequestID: newRequestID, Log: log})

	s.verifier = sigv4.Verifier{Secrets: secretOf(s.root), NoV2: s.cfg.NoSigV2, Bucket: buckets.BucketOf, Reserve: newBodyBudget(s.cfg.MemoryBytes, bodyWait).reserve}
	s.endpoints = endpoints{
		s.buckets("s3", buckets),
		s.json("bedrock", router),
		s.query("sts", sts.New(newRequestID, log)),
	}
	for i := range s.endpoints {
		e := &s.endpoints[i]
		e.handler = r.meter.Instrument(e.name, s.cfg.Clock, e.handler)
	}
	s.attempts = attempt.NewHandler(r.signer, r.attempts, objects, s.run, log)
	s.metrics = r.meter.Handler()
}

// json is the endpoint of a service that speaks restJson1.
func (s *Server) json(name string, router *restjson.Router) endpoint {
	return endpoint{name, routed(router), withoutKeys(s.signed(name)), refuseJSON(s.cfg.Log), router}
}

// query is the endpoint of a service that speaks the Query protocol.
func (s *Server) query(name string, service interface {
	http.Handler
	WriteError(http.ResponseWriter, error)
}) endpoint {
	refuse := func(w http.ResponseWriter, _ *http.Request, err error) {
		service.WriteError(w, modelled(err, (*sigv4.Error).Query))
	}
	return endpoint{name, posted, s.signed(name), refuse, service}
}

// buckets is S3's endpoint: it takes what nobody claims.
func (s *Server) buckets(name string, service *s3.Service) endpoint {
	refuse := func(w http.ResponseWriter, r *http.Request, err error) {
		var refused *sigv4.Error
		if errors.As(err, &refused) {
			hinted := *refused
			hinted.Msg = hint(refused)
			err = &hinted
		}
		service.Refuse(w, r, err)
	}
	return endpoint{name, nothing, s.signed(name), refuse, service}
}
