from runyard_cli.app import main

main()
