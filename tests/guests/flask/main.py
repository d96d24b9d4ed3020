"""A Flask app as its author left it: templates, a session, a form, JSON, errors, a stream, static files."""

from flask import Flask, abort, jsonify, redirect, render_template, request, session, stream_with_context, url_for

app = Flask(__name__)
app.secret_key = "not so secret"


@app.route("/")
def index():
    return render_template("page.html", name=request.args.get("name", "world"), visits=session.get("visits", 0))


@app.post("/visits")
def visit():
    session["visits"] = session.get("visits", 0) + 1
    return redirect(url_for("index"))


@app.route("/json", methods=["PUT"])
def json():
    return jsonify(got=request.get_json(), path=request.path)


@app.post("/upload")
def upload():
    file = request.files["file"]
    return {"name": file.filename, "size": len(file.read()), "note": request.form.get("note")}


@app.route("/stream")
def stream():
    return stream_with_context(f"{number} {request.path}\n" for number in range(100)), {"content-type": "text/plain"}


@app.route("/items/<int:number>")
def item(number):
    if number > 9:
        abort(404, f"there is no item {number}")
    return {"item": number}


@app.errorhandler(404)
def missing(error):
    return {"error": error.description}, 404


@app.route("/raises")
def raises():
    return {}["missing"]
