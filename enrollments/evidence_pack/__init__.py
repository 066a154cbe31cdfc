"""
The evidence of one case in one file, made by `building.build`. It includes `verify_pack`, which checks it offline.
"""
