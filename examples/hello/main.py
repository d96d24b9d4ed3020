from fasterapi import App

app = App()


@app.get("/")
def hello():
    return {"message": "Hello, FasterAPI!"}


@app.get("/health")
def health():
    return {"status": "ok"}


if __name__ == "__main__":
    app.run(port=8000)
