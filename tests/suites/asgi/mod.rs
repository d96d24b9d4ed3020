//! The same app under uvicorn and here: every answer must be the same.

mod params;
