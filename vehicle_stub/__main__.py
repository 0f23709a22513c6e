"""`python -m vehicle_stub --config vehicle.toml`."""

from vehicle_stub.cli import main

if __name__ == "__main__":
    main()
