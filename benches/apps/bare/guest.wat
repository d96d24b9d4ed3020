;; The least a guest can be: it answers every request with the same response. What is left under load is the host.
;;
;; The functions are lifted synchronously: no stream, no task of their own. Results lie in memory as the canonical
;; ABI lays them out; what the host passes in goes to 4096 and is overwritten by the next call.
(component
  (core module $guest
    (memory (export "memory") 3)
    (global $free (mut i32) (i32.const 4096))

    ;; result<_, string> at 16: ok.
    (data (i32.const 16) "\00\00\00\00" "\00\00\00\00" "\00\00\00\00")
    ;; result<response, string> at 64: ok, head at 128 (51 bytes), body at 256 (17 bytes), no rest.
    (data (i32.const 64)
      "\00\00\00\00" "\80\00\00\00" "\33\00\00\00" "\00\01\00\00" "\11\00\00\00" "\00\00\00\00" "\00\00\00\00")
    (data (i32.const 128) "200\00content-length\0017\00content-type\00application/json")
    (data (i32.const 256) "{\"hello\":\"world\"}")

    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at
        (i32.and
          (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
          (i32.sub (i32.const 0) (local.get $align))))
      (global.set $free (i32.add (local.get $at) (local.get $size)))
      (local.get $at))

    (func (export "ok") (result i32)
      (i32.const 16))

    (func (export "handle") (param i64 i32 i32 i32 i32 i32 i32) (result i32)
      (global.set $free (i32.const 4096))
      (i32.const 64))

    (func (export "disconnect") (param i64)))

  (core instance $core (instantiate $guest))

  (type $done (func async (result (result (error string)))))
  (func $startup (type $done) (canon lift (core func $core "ok") (memory (core memory $core "memory"))))
  (func $shutdown (type $done) (canon lift (core func $core "ok") (memory (core memory $core "memory"))))
  (instance $lifecycle
    (export "startup" (func $startup))
    (export "shutdown" (func $shutdown)))
  (export "fasterapi:app/lifecycle@0.1.0" (instance $lifecycle))

  (type $rest (option (stream u8)))
  (type $response (record (field "head" string) (field "body" string) (field "rest" $rest)))
  (type $handle (func async (param "request" u64) (param "head" string) (param "body" (list u8)) (param "more" $rest)
    (result (result $response (error string)))))
  (type $disconnect (func async (param "request" u64)))
  (func $handle (type $handle)
    (canon lift (core func $core "handle") (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
  (func $disconnect (type $disconnect) (canon lift (core func $core "disconnect")))

  ;; An interface's types are exported beside its functions, which takes a component of its own.
  (component $interface
    (type $rest (option (stream u8)))
    (type $record (record (field "head" string) (field "body" string) (field "rest" $rest)))
    (import "response" (type $response (eq $record)))
    (import "handle" (func $handle async
      (param "request" u64) (param "head" string) (param "body" (list u8)) (param "more" $rest)
      (result (result $response (error string)))))
    (import "disconnect" (func $disconnect async (param "request" u64)))
    (export $named "response" (type $response))
    (export "handle" (func $handle) (func async
      (param "request" u64) (param "head" string) (param "body" (list u8)) (param "more" $rest)
      (result (result $named (error string)))))
    (export "disconnect" (func $disconnect)))
  (instance $http (instantiate $interface
    (with "response" (type $response))
    (with "handle" (func $handle))
    (with "disconnect" (func $disconnect))))
  (export "fasterapi:app/http@0.1.0" (instance $http)))
