# Each target is one short script, and each does its own set-up.
.PHONY: demo test check bench clean lock

demo:  ; @scripts/demo.sh $(ARGS)
test:  ; @scripts/test.sh $(ARGS)
check: ; @scripts/check.sh
bench: ; @scripts/bench.sh $(if $(ONLY),--only $(ONLY))
clean: ; @scripts/clean.sh
lock:  ; @scripts/lock.sh
