import sys, harness, kinds
from harness import Scene
programs = harness.arguments("x", kind=(str,"MEGA2560_DENSE",""), count=(int,11,""), rounds=(int,5,""), pace=(int,1,""), remote=(int,1,""), record=(int,0,""))
kind=getattr(kinds,programs.kind)
with Scene(programs, f"{kind.board}={programs.count}", *(["--remote"] if programs.remote else []), *(["--pace"] if programs.pace else [])) as scene:
    scene.daemon.start(); events=scene.events()
    content=kind.content(2000,1)
    image=scene.upload(kind.file(content),name="fw.hex",address=None).json["id"]
    for r in range(programs.rounds):
        if programs.record:
            for n in scene.stations: scene.post(f"/v1/stations/{n}/record")
        job=scene.submit(image,chip=kind.chip,stations=scene.stations)
        events.wait_fact("job.state",id=job,state="done")
        runs=scene.runs(job=job)
        print(r, sum(x["outcome"]=="pass" for x in runs), flush=True)
        for x in runs:
            if x["outcome"]!="pass":
                print("  ",x["station"],x["class"],x["message"], scene.farm.ask("state",x["station"])[:200])
                if programs.record:
                    d=scene.get(f"/v1/runs/{x['id']}/dialogue")["dialogue"]
                    print("\n".join(l for l in d.splitlines() if not l.startswith("# image"))[-600:])
