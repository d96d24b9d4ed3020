"""What the environment may set, read once while the component is built."""

from pydantic import EmailStr, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="BACKEND_", env_file=".env", extra="ignore")

    project: str = "Backend"
    api: str = "/api/v1"
    secret: SecretStr = SecretStr("a secret of at least thirty-two bytes")
    token_minutes: int = 60
    first_superuser: EmailStr = "admin@example.com"
    first_password: SecretStr = SecretStr("first-password")


settings = Settings()
